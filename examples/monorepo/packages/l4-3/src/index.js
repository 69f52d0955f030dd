export const part = "l4-3";
