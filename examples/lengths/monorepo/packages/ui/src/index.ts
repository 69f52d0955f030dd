import { stars } from "@shop/text";

export const title = (name: string): string => `${stars(1)} ${name}`;
