export const part = "l2-0";
