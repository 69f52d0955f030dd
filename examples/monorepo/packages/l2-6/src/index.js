export const part = "l2-6";
