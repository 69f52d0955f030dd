import { twice } from "@shop/core";

export const stars = (n: number): string => "*".repeat(twice(n));
