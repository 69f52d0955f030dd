import { answer } from "@shop/server";
import { title } from "@shop/ui";

export const page = (name: string, cents: number): string =>
  `${title(name)} ${answer(cents)}`;
