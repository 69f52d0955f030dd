export const part = "l4-2";
