import assert from "node:assert/strict";
import test from "node:test";

import { page } from "./index.js";

test("page", () => assert.equal(page("Tea", 50), "** Tea costs 1"));
