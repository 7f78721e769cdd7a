/** Pages instead of the page: no token, or another version. */
import type { VNode } from "preact";

import { link } from "../session/state";
import { Icon } from "../parts/icon";

export function Locked(): VNode {
  const reason = link.value.state === "locked" ? link.value.reason : "";
  return (
    <main class="gate">
      <Icon name="lock" />
      <h1>This page needs the address with the token</h1>
      {reason && <p>{reason}</p>}
      <p>On the machine where the server runs, this prints it:</p>
      <pre tabIndex={0}>connscope status</pre>
      <p class="muted">Open the address it shows; it ends in <code>#t=…</code>. The token stays in this
        browser as a cookie that scripts can not read.</p>
    </main>
  );
}

export function Outdated(): VNode {
  return (
    <main class="gate">
      <Icon name="refresh" />
      <h1>The server was updated</h1>
      <p>This page is of another version.</p>
      <button type="button" class="primary" onClick={() => location.reload()}>Reload</button>
    </main>
  );
}
