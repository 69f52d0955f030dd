export const part = "l3-3";
