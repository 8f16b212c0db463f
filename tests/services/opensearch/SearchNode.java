import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.node.NodeValidationException;

/**
 * One node of OpenSearch from the class path: all of it but the launcher, so without plugins in folders of their own, a
 * security manager and checks of the machine. Settings come from HOME/config/opensearch.yml; SIGTERM closes it.
 */
final class SearchNode extends Node {

  private SearchNode(Environment environment) {
    super(environment, Modules.all(), true);
  }

  public static void main(String[] arguments) throws NodeValidationException, InterruptedException {
    Settings home = Settings.builder().put("path.home", Path.of(arguments[0])).build();
    Node node = new SearchNode(InternalSettingsPreparer.prepareEnvironment(home, Map.of(), null, () -> "node"));
    Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
    node.start();
    // The threads of a node are daemons: without this one, the process would end here.
    new CountDownLatch(1).await();
  }

  private static void close(Node node) {
    try {
      node.close();
    } catch (java.io.IOException error) {
      error.printStackTrace();
    }
  }
}
