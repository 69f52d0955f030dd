export const part = "l4-7";
