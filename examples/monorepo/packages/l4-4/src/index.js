export const part = "l4-4";
