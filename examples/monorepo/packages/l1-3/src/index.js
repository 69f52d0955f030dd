export const part = "l1-3";
