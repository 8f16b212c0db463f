import { useEffect } from "preact/hooks";
import { useLocation } from "preact-iso";
import { useResource } from "../../api/resource";
import { getCollections } from "../../api/routes";
import { Empty, Failure, Loading } from "../../components/State";
import { readAddress, writeAddress } from "./address";
import { SearchView } from "./SearchView";
import styles from "./search.module.css";

/** The search page: where is this document? */
export default function SearchPage() {
  const { url, route } = useLocation();
  const collections = useResource("collections", getCollections);
  const { pathname, search } = new URL(url, location.origin);
  const state = readAddress(pathname, search);
  const first = collections.data?.[0]?.name;

  useEffect(() => {
    if (state.collection === "" && first !== undefined) {
      route(writeAddress({ ...state, collection: first }), true);
    }
  }, [state.collection, first]);

  if (collections.data?.length === 0) {
    return (
      <div class={styles.page}>
        <h1>Search</h1>
        <Empty title="There is no collection yet" command="dynalens check">
          Name a table under `collections` in dynalens.yaml. This command then says whether everything is right.
        </Empty>
      </div>
    );
  }
  if (state.collection !== "") {
    const names = collections.data?.map(({ name }) => name) ?? [];
    return <SearchView key={state.collection} state={state} collections={names} />;
  }
  return (
    <div class={styles.page}>
      <h1>Search</h1>
      {collections.error === undefined ? (
        <Loading what="the collections" />
      ) : (
        <Failure what="The collections could not be read" error={collections.error} retry={collections.reload} />
      )}
    </div>
  );
}
