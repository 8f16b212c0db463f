import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;
import org.opensearch.Version;
import org.opensearch.analysis.common.CommonAnalysisModulePlugin;
import org.opensearch.geo.GeoModulePlugin;
import org.opensearch.index.mapper.MapperExtrasModulePlugin;
import org.opensearch.index.reindex.ReindexModulePlugin;
import org.opensearch.painless.PainlessModulePlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.plugins.PluginInfo;
import org.opensearch.transport.Netty4ModulePlugin;

/** What OpenSearch 3 finds in its folder of modules, as far as tests need it. */
final class Modules {

  private Modules() {}

  static Collection<PluginInfo> all() {
    return Stream.of(
            Netty4ModulePlugin.class,
            CommonAnalysisModulePlugin.class,
            PainlessModulePlugin.class,
            ReindexModulePlugin.class,
            MapperExtrasModulePlugin.class,
            GeoModulePlugin.class)
        .map(Modules::onClassPath)
        .toList();
  }

  private static PluginInfo onClassPath(Class<? extends Plugin> module) {
    String name = module.getName();
    String java = Integer.toString(Runtime.version().feature());
    return new PluginInfo(name, "a module", "NA", Version.CURRENT, java, name, null, List.of(), false);
  }
}
