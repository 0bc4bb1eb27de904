import { springJars } from "./jars.ts";

// Prints the folder with Spring's jars, and fetches them first where they are not there: for the bench.
process.stdout.write(await springJars());
