export const part = "l2-5";
