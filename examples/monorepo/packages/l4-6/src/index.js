export const part = "l4-6";
