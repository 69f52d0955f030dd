export const part = "l2-3";
