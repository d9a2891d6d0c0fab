import { signal } from "@preact/signals";
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { loadHosts } from "./hosts.ts";
import { goLive } from "./live.ts";
import { ClientsPage } from "./pages/clients.tsx";
import { DeliveriesPage, RefusalsPage } from "./pages/deliveries.tsx";
import { DeliveryPage } from "./pages/delivery.tsx";
import { DeploymentPage } from "./pages/deployment.tsx";
import { DeploymentsPage } from "./pages/deployments.tsx";
import { LoginPage } from "./pages/login.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { StatusPage } from "./pages/status.tsx";
import { TargetPage } from "./pages/target.tsx";
import { Frame, PageHead } from "./parts/frame.tsx";
import { Empty } from "./parts/text.tsx";
import { findSession, followLogouts, session } from "./request.ts";
import { parseRoute, type Route } from "./route.ts";
import "./style/index.css";

const route = signal<Route>(parseRoute(location.hash));

window.addEventListener("hashchange", () => {
  route.value = parseRoute(location.hash);
});

followLogouts();

function App() {
  const state = session.value;
  useEffect(() => {
    if (state === "open") {
      void loadHosts();
      return goLive();
    }
    if (state === "unknown") void findSession();
    return undefined;
  }, [state]);
  if (state === "unknown") return null;
  if (state === "none") return <LoginPage />;
  return (
    <Frame route={route.value}>
      <Page route={route.value} />
    </Frame>
  );
}

/** The key makes another page of the same kind start anew. */
function Page({ route: shown }: { readonly route: Route }) {
  switch (shown.page) {
    case "overview":
      return <OverviewPage />;
    case "target":
      return <TargetPage key={shown.name} name={shown.name} />;
    case "deployments":
      return <DeploymentsPage filter={shown.filter} />;
    case "deployment":
      return <DeploymentPage key={shown.id} id={shown.id} />;
    case "deliveries":
      return <DeliveriesPage filter={shown.filter} />;
    case "delivery":
      return <DeliveryPage key={shown.id} id={shown.id} />;
    case "refusals":
      return <RefusalsPage filter={shown.filter} />;
    case "clients":
      return <ClientsPage />;
    case "status":
      return <StatusPage />;
    case "unknown":
      return (
        <>
          <PageHead title="Not found" heading="Not found" />
          <Empty title="There is no such page">
            <p>
              <a href="#/">Open the overview</a>
            </p>
          </Empty>
        </>
      );
  }
}

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
