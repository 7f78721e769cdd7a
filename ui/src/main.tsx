/** The page: puts the panels in, gets in, and opens the feed. */
import { render } from "preact";

import { App } from "./panels/app";
import { listen, start } from "./session/actions";
import { listenToKeys } from "./session/keys";
import { offerTestDoor } from "./session/test_door";
import { followTheme } from "./session/theme";

followTheme();
listenToKeys();
listen();
offerTestDoor();
const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<App />, root);
}
void start();
