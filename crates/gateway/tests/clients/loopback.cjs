// Names below TEST_DOMAIN lead to this machine, without a change to its hosts file.
const dns = require("node:dns");
const domain = process.env.TEST_DOMAIN;
const original = dns.lookup;
dns.lookup = (name, options, callback) => {
  if (typeof options === "function") [options, callback] = [{}, options];
  if (domain && (name === domain || name.endsWith(`.${domain}`))) {
    const found = { address: "127.0.0.1", family: 4 };
    return process.nextTick(() =>
      options?.all ? callback(null, [found]) : callback(null, found.address, found.family),
    );
  }
  return original.call(dns, name, options, callback);
};
