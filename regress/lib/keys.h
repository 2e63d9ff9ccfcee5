/* SPDX-License-Identifier: ISC */
#ifndef KEYS_H
#define KEYS_H

/*
 * Keys that identity providers could have, and tokens signed with them: ES256
 * is RFC 7515, A.3, EdDSA is RFC 8037, A.4; the others were made with another
 * library, for the issuer https://idp.test, valid at 1300819300.
 */
#define KEYS_AT		1300819300
#define KEYS_JWKS \
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"rfc75" \
	"15\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"" \
	"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},{\"kty\"" \
	":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"rfc8037\",\"x\":\"11q" \
	"YAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},{\"kty\":\"RSA\"" \
	",\"n\":\"g9jR_lfHXOqsScfbKaUbwA9GGHdmN954gTG5wqXvzFeual9zXen" \
	"ww9GdFvEN9PYiNRvWMjihjthBXP4veBBf2zI2FvrVdHwSjRPJVAuW668NEjG" \
	"4HBJ3a4RRCHmNzXFxrnwqqLvYND5hqPY1DLsrzBTweIynNaX1zNbHXrbeASW" \
	"7lz17L3wlNHAQVK_JutMKfIIhSxXPbMyEerFpwwsZSy4PWFkeEqAEGnxKres" \
	"hdHEwxNFu7U980kz1h0uKCguS6I9L1wF9UOU1uWwYd8Sc7qG--hPQvrpCk44" \
	"ip1MFOMyw4ivGSu4voQBe8EEenAgYb98slGWGPxBMUp9q76ZEeQ\",\"e\":" \
	"\"AQAB\",\"kid\":\"k-RS256\",\"use\":\"sig\",\"alg\":\"RS256" \
	"\"},{\"kty\":\"RSA\",\"n\":\"plIqRD9iAxVmTbjPCFdNNjB99c5MiKA" \
	"5ryNsyimChpLO-y1mvfDKT4DuhjR5ghzPFPXrmv0talrrAloaEr_1RJZT8lm" \
	"GdfE27J2W3V74JfDvrZMuBSfBg1iq949cfVHt0D8Tc4m3UuRuGODR607tf8Z" \
	"_e6UmP1SqoBHRDDZUgMHXgkpVakb0uI2V-foB_aPmpUstxnvjrxUlP5KFXGo" \
	"8fAobyel3Z3prFmr3x-77IAM8_JUt-qTvMSB6qym-RUNuCeHivv0QmuPqBrr" \
	"GSN73izkJMsylt1LQLf6DJo3Ji6P28yeZJYzitj2ge5LDCBYTbdDfMfW8V4k" \
	"uslfCKzm_sQ\",\"e\":\"AQAB\",\"kid\":\"k-PS256\",\"use\":\"s" \
	"ig\",\"alg\":\"PS256\"},{\"kty\":\"EC\",\"crv\":\"P-384\",\"" \
	"x\":\"b3bXrx0DAO4p3UbWBGO8m8LeFk2MOj0HW5-OE58ZyqYNOQT6_8B9lK" \
	"x0McCz2ray\",\"y\":\"UeSPsfLlEet3VCno9LEYmuHV74Uwg_bTcUvNFGB" \
	"_Y-DLiay-PpK_w97PRcxt48dI\",\"kid\":\"k-ES384\",\"use\":\"si" \
	"g\",\"alg\":\"ES384\"}]}"
#define TOKEN_ES256 \
	"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTk" \
	"zODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEh" \
	"U3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA" \
	"pmWQxfKTUJqPP3-Kg6NU1Q"
#define TEXT_EDDSA \
	"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
#define SIG_EDDSA \
	"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylG" \
	"jg5BhVsPt9g7sVvpAr_MuM0KAg"
#define TOKEN_RS256 \
	"eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAiay1SUzI1" \
	"NiJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZHAudGVzdCIsICJhdWQiOiBbImEiLCA" \
	"icmVsYXlkIl0sICJzdWIiOiAidS0xIiwgImV4cCI6IDEzMDA4MTkzODAsICJ" \
	"uYmYiOiAxMzAwODE5MDAwLCAiaWF0IjogMTMwMDgxOTAwMCwgInNjb3BlIjo" \
	"gIm9wZW5pZCBjb25uZWN0OnN5c3RlbXMiLCAic2NwIjogWyJzd3NyczpzZXN" \
	"zaW9uOnJlYWQiLCAieCJdLCAiYXpwIjogImNsaSIsICJyZWFsbV9hY2Nlc3M" \
	"iOiB7InJvbGVzIjogWyJsZWFkIl19fQ.CYn5_g5axg6Uy3CPtpVKBMTgvdYG" \
	"wjcgktI2s3M2uD2gNpy5OXjc0cJRNa0VoIJLcKhS7eor9ed-wbXKgwkqHlRd" \
	"ht3EGa6gWDy4fNGIuNEi-A4fq9YT0QwInJe7zb3IZuYBGtztYTaDPZuj3I8l" \
	"kEaQZzX8nqzlWrxeFk2oi4iDLQ14Q3PiHBwslWkj8UXb-DH_8S5MV9AsbzYW" \
	"quPeoFBhTUluSAht4O-vDxRYzimAbC4QHdXMKNuvi3BNXLf1dDJh1SmAwiyH" \
	"uP680hJ691gtjE_o_gM3pf1igd4HrzlAVQTR4pk532usCJ9JMRD42AF5JXbF" \
	"K5stzHdfbmHtvg"
#define TOKEN_PS256 \
	"eyJhbGciOiAiUFMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAiay1QUzI1" \
	"NiJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZHAudGVzdCIsICJhdWQiOiBbImEiLCA" \
	"icmVsYXlkIl0sICJzdWIiOiAidS0xIiwgImV4cCI6IDEzMDA4MTkzODAsICJ" \
	"uYmYiOiAxMzAwODE5MDAwLCAiaWF0IjogMTMwMDgxOTAwMCwgInNjb3BlIjo" \
	"gIm9wZW5pZCBjb25uZWN0OnN5c3RlbXMiLCAic2NwIjogWyJzd3NyczpzZXN" \
	"zaW9uOnJlYWQiLCAieCJdLCAiYXpwIjogImNsaSIsICJyZWFsbV9hY2Nlc3M" \
	"iOiB7InJvbGVzIjogWyJsZWFkIl19fQ.b_dX_UXVgf4DghN_QEbDTdt-kEYe" \
	"OP4OlysrYuKQ6ha8PWu4vKWtsxpGgJ4bdyxu4P3UVG6_PpKYihPaFheQpkHe" \
	"pYmpf_n5TbpvfXA6dMgezTQszNbyTj8CDS0Jrwr9FKmBfgQJKFzdi-cSGoIp" \
	"od9m3MzYk-i9LyosVj28EpqaszX9kgKKAiL8jRWvntbOcOiS5-gfK4MGvLrF" \
	"llAFuMDUlxnGkF1cXk-PZf-bznrVPtyeCHaBQwEmwaySbTFHbEgs2gMsoewt" \
	"sXCuvKZ7TmIZdR38W6YcyTXS13hS14gloCHrFIAExSHeazB1a5iDlVM7fzCC" \
	"bqb-4Sx2CJB9OA"
#define TOKEN_ES384 \
	"eyJhbGciOiAiRVMzODQiLCAidHlwIjogIkpXVCIsICJraWQiOiAiay1FUzM4" \
	"NCJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZHAudGVzdCIsICJhdWQiOiBbImEiLCA" \
	"icmVsYXlkIl0sICJzdWIiOiAidS0xIiwgImV4cCI6IDEzMDA4MTkzODAsICJ" \
	"uYmYiOiAxMzAwODE5MDAwLCAiaWF0IjogMTMwMDgxOTAwMCwgInNjb3BlIjo" \
	"gIm9wZW5pZCBjb25uZWN0OnN5c3RlbXMiLCAic2NwIjogWyJzd3NyczpzZXN" \
	"zaW9uOnJlYWQiLCAieCJdLCAiYXpwIjogImNsaSIsICJyZWFsbV9hY2Nlc3M" \
	"iOiB7InJvbGVzIjogWyJsZWFkIl19fQ.EiTD_zHLgNciVkbBNZSe0qbqmZvl" \
	"ubs3ijhEJH5tyAgTGeyJjrb_BvOw4EnVUDmenVd5cEqH2WGqbzPMxCjy8t2v" \
	"Coom_8NDuB4EaircWPM96fiS8255BGeNV-d5MV-E"

#endif
