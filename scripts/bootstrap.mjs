// Entry of `npm start`, `npm test` and every `npm run …`: brings Node and the dependencies where they are missing, then runs the command.
// Syntax and imports here are such that any Node can read them, so that an old one can be told what is needed.
var MINIMUM_MAJOR = 20;
var major = Number(process.versions.node.split(".")[0]);

if (major < MINIMUM_MAJOR) {
  console.error(
    "postrider: Node " +
      MINIMUM_MAJOR +
      " or newer is needed to begin (this one is " +
      process.versions.node +
      "); the Node that runs Postrider is brought from there.",
  );
  process.exit(1);
}

import("./bootstrap/main.mjs")
  .then(function (bootstrap) {
    return bootstrap.main(process.argv.slice(2));
  })
  .catch(function (error) {
    console.error("postrider: " + (error && error.isExpected ? error.message : (error && error.stack) || error));
    process.exit(1);
  });
