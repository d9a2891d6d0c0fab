/** Upgrades a database, and kills itself before the n-th statement: `bun kill-upgrade.ts FILE N`. */
import { openDatabase } from "../../../src/store/sqlite/connection.ts";
import { migrate } from "../../../src/store/sqlite/migrate.ts";

const [file = "", statement = ""] = process.argv.slice(2);
const connection = openDatabase(file);
let count = 0;
migrate({
  ...connection,
  execute(sql) {
    count += 1;
    if (count === Number(statement)) process.kill(process.pid, "SIGKILL");
    connection.execute(sql);
  },
});
throw new Error(`the upgrade has ${count} statements only`);
