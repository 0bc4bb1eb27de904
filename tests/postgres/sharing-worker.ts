// Handles a backlog, and is ended by what is in it. Told by its arguments: address, file of the poison.
import { sharingApp } from "./sharing-app.ts";

const [url, poisonFile] = process.argv.slice(2) as [string, string];
await sharingApp(url, "adding", poisonFile);
