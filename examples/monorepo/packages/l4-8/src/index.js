export const part = "l4-8";
