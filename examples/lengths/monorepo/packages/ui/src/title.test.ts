import assert from "node:assert/strict";
import test from "node:test";

import { title } from "./index.js";

test("title", () => assert.equal(title("Shop"), "** Shop"));
