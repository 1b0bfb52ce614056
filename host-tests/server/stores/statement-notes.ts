// Notes the statements that a test's database is asked, begin and commit apart.
import type { CompiledQuery, KyselyPlugin } from "kysely";
import type { Records } from "../../../server/stores/tables.js";

export interface NotedDatabase {
	/** The same database; what is asked through it is noted. */
	readonly db: Records;
	readonly statements: CompiledQuery[];
}

export function noteStatements(db: Records): NotedDatabase {
	const statements: CompiledQuery[] = [];
	const plugin: KyselyPlugin = {
		transformQuery({ node, queryId }) {
			statements.push(db.getExecutor().compileQuery(node, queryId));
			return node;
		},
		transformResult: async ({ result }) => result,
	};
	return { db: db.withPlugin(plugin), statements };
}
