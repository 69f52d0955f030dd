import assert from "node:assert/strict";
import test from "node:test";

import { price } from "./index.js";

test("price", () => assert.equal(price(125), 2.5));
