// node pharmacy.js STATION REQUEST: an activation at a pharmacy counter, and what the clerk has to do.
const [station, request] = process.argv.slice(2);
const socket = require("node:net").connect(process.env.CARDD_SOCKET || "/run/cardd/cardd.sock");
const ask = (id, method, params) => socket.write(JSON.stringify({ jsonrpc: "2.0", id, method, params }) + "\n");
ask(1, "events.subscribe", { types: ["activation.*"], readers: [station] });
ask(2, "activation.start", { route: "pharmacy", station, request });
require("node:readline").createInterface({ input: socket }).on("line", (line) => {
  const { error, params } = JSON.parse(line);
  if (error) throw new Error(error.message);
  const { type, data } = params?.event ?? {};
  const text = data?.prompt?.text ?? data?.text;
  if (text) console.log(text["zh-CN"]);
  const end = /\.(completed|refused|cancelled|expired)\.v1$/.exec(type);
  if (end) process.exit(end[1] === "completed" ? 0 : 1);
});
