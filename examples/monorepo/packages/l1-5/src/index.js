export const part = "l1-5";
