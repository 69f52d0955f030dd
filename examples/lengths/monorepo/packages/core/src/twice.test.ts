import assert from "node:assert/strict";
import test from "node:test";

import { twice } from "./index.js";

test("twice", () => assert.equal(twice(21), 42));
