export const part = "l1-8";
