export const part = "l4-0";
