import { useEffect } from "preact/hooks";
import { useLocation, useRoute } from "preact-iso";
import { useResource } from "../../api/resource";
import { getDashboard } from "../../api/routes";
import { Failure, Loading } from "../../components/State";
import { Board } from "./Board";

/** A server that was restarted may have other panels. */
const LOOK_AGAIN_MS = 15_000;

/** `/dashboards/{name}`, and with `?wall` for a screen on the wall. */
export default function DashboardPage() {
  const { params } = useRoute();
  const { query } = useLocation();
  const name = params.name ?? "";
  const { data, error, reload } = useResource(
    `dashboard ${name}`,
    (options) => getDashboard(name, options),
    LOOK_AGAIN_MS,
  );
  useEffect(() => {
    document.title = `${data?.title ?? name} · Dynalens`;
  }, [data, name]);

  if (data) return <Board dashboard={data} wall={"wall" in query} />;
  return (
    <>
      <h1>{name}</h1>
      {error ? (
        <Failure what="This dashboard could not be read" error={error} retry={reload} />
      ) : (
        <Loading what="the dashboard" lines={6} />
      )}
    </>
  );
}
