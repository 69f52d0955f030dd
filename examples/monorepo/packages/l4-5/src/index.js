export const part = "l4-5";
