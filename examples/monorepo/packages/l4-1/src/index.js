export const part = "l4-1";
