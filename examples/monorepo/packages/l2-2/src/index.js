export const part = "l2-2";
