/** npm run feed -- [NODES] [HOSTS] [PORT]: the built page over a synthetic network, until Ctrl-C. */
import { resolve } from "node:path";

import { DevFeed } from "./feed";

const [nodes = 60, hosts = 3, port = 4040] = process.argv.slice(2).map(Number);
const feed = new DevFeed({ nodes, hosts, pages: resolve("../src/connscope/web") });
console.log(await feed.open(port));
