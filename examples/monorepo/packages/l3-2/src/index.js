export const part = "l3-2";
