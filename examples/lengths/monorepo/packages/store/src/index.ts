import { twice } from "@shop/core";

export const price = (cents: number): number => twice(cents) / 100;
