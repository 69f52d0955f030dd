export const part = "l1-1";
