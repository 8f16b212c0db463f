import "./styles/tokens.css";
import "./styles/base.css";
import { render } from "preact";
import { App } from "./app";
import { followSystem, showTheme, storedTheme } from "./theme";

showTheme(storedTheme());
followSystem();
const root = document.getElementById("app");
if (root) render(<App />, root);
