export const part = "l2-1";
