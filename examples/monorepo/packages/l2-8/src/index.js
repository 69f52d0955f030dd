export const part = "l2-8";
