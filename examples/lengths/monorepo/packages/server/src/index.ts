import { price } from "@shop/store";

export const answer = (cents: number): string => `costs ${price(cents)}`;
