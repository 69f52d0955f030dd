export const part = "l2-4";
