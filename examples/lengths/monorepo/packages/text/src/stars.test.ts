import assert from "node:assert/strict";
import test from "node:test";

import { stars } from "./index.js";

test("stars", () => assert.equal(stars(2), "****"));
