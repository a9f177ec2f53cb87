// node pharmacy.js STATION REQUEST: an activation at a pharmacy counter, and what the clerk has to do.
const [station, request] = process.argv.slice(2);
const socket = require("node:net").connect(process.env.CARDD_SOCKET || "/run/cardd/cardd.sock");
const ask = (id, method, params) => socket.write(JSON.stringify({ jsonrpc: "2.0", id, method, params }) + "\n");
ask(1, "events.subscribe", { types: ["activation.*"], readers: [station] });
ask(2, "activation.start", { route: "pharmacy", station, request });
require("node:readline").createInterface({ input: socket }).on("line", (line) => {
  const { error, params, result } = JSON.parse(line);
  if (error) throw new Error(error.message);
  const here = result?.snapshot?.activations.find((open) => open.station === station);
  const told = params?.event?.data ?? here ?? (result?.ended ? result : {});
  const text = told.prompt?.text ?? told.text;
  if (text) console.log(text["zh-CN"]);
  if (told.ended_in || told.ended) process.exit(told.state === "completed" ? 0 : 1);
});
