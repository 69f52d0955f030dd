export const part = "l1-2";
