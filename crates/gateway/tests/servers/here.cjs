// Preloaded into servers that would listen to the whole network: they listen to this machine alone.
const net = require("node:net");
const original = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  if (typeof port !== "number" && typeof port !== "string") return original.call(this, port, ...rest);
  const callback = rest.find((argument) => typeof argument === "function");
  return original.call(this, Number(port), "127.0.0.1", callback);
};
