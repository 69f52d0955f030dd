export const part = "l3-0";
